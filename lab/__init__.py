"""The container lab: three Debian hosts (ec-a, ec-b, client) on one machine, made of systemd-nspawn, netns and loop devices."""
