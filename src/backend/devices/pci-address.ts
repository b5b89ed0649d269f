/** `domain:bus:device.function` in hex, as the kernel writes it. */
export const PCI_ADDRESS = '^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$';
