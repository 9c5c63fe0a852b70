"""The container lab: Debian hosts ec-a, ec-b and client on one machine, of systemd-nspawn, netns and loop devices."""
