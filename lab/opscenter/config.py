"""/etc/sun-xvm/ec.conf <-> Config."""

import configparser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    name: str = "xvm-ec"
    listen: str = "0.0.0.0"
    port: int = 8080
    proxy_listen: str = "0.0.0.0"
    proxy_port: int = 21165
    proxy_ec: str = ""  # a stand-alone Proxy Controller's Enterprise Controller, http://HOST:PORT

    @property
    def ec_url(self) -> str:
        """Where this machine's own parts reach the Enterprise Controller."""
        return self.proxy_ec or f"http://{local(self.listen)}:{self.port}"


def local(listen: str) -> str:
    return "127.0.0.1" if listen == "0.0.0.0" else listen


def load_config(path: Path) -> Config:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text(), str(path))
    ec, proxy = parser["ec"], parser["proxy"]
    return Config(
        name=ec["name"],
        listen=ec["listen"],
        port=int(ec["port"]),
        proxy_listen=proxy["listen"],
        proxy_port=int(proxy["port"]),
        proxy_ec=proxy.get("ec", ""),
    )


def render_config(config: Config) -> str:
    return f"""\
# Sun xVM Ops Center: the Enterprise Controller and its co-located Proxy Controller
[ec]
name = {config.name}
listen = {config.listen}
port = {config.port}

[proxy]
listen = {config.proxy_listen}
port = {config.proxy_port}
ec = {config.proxy_ec}
"""
