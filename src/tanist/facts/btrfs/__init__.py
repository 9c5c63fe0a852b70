"""btrfs on a device that nobody needs to have mounted here: its marks, its trees, the claim in them."""
