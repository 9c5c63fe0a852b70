"""The VM tier of the lab: hosts with kernels of their own (QEMU), for what two kernels can do to one disk."""
