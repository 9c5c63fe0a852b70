"""What every program gets as its environment: small, fixed, and no locale that changes what it prints."""

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
