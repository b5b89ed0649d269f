import { type Static, Type } from '../../../schema/index.ts';
import { PCI_ADDRESS } from '../../devices/pci-address.ts';

/** A Switch CCI of this host that is bound to vfio-pci. */
export const VfioOptions = Type.Object(
  {
    address: Type.Optional(
      Type.String({
        pattern: PCI_ADDRESS,
        description: 'PCI address, such as 0000:0d:00.1; the only Switch CCI of the machine if not given',
      }),
    ),
    interrupts: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'Wait for completion interrupts where the device has them; false polls as where it has none',
      }),
    ),
  },
  { additionalProperties: false },
);

export type VfioOptions = Static<typeof VfioOptions>;
