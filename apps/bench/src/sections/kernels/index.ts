import type { SectionSpec } from '../../context';
import { againstOrt } from './against-ort';
import { attentionShares } from './attention';
import { bf16Shares, int8Shares, tileShares } from './shares';

/** Vectors, on CPUs with tiles too. */
const VECTORS = { NE_MAX_CPU_ISA: 'avx512_vnni' };

export const kernels: SectionSpec = {
  name: 'kernels',
  about: "products and attention against the instruction rate, int8 products against ONNX Runtime's",
  runs: [
    { pinned: true, env: VECTORS, run: int8Shares },
    { pinned: true, run: tileShares },
    { pinned: true, env: VECTORS, run: attentionShares },
    { pinned: true, run: bf16Shares },
    { pinned: true, run: againstOrt },
  ],
};
