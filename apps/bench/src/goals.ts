import { isa } from '@neural-engine/kernels';

/** What a figure should reach: at least (`>=`) or at most (`<=`) the floor, better the goal. */
export interface Bar {
  readonly kind: '>=' | '<=';
  readonly floor: number;
  readonly goal?: number;
}

/** CPUs that bars are set for: Zen 4 multiplies bytes at one 512-bit instruction a cycle without shuffles in its way, Intel has tiles. */
export type Machine = 'zen4' | 'amx' | 'other';

/** The machine at hand; a process whose tier is capped is told by the variable, which the one that started it sets. */
export function machine(): Machine {
  const told = process.env['NE_BENCH_MACHINE'];
  if (told === 'zen4' || told === 'amx' || told === 'other') return told;
  const { features, tiers, cpu } = isa();
  if (tiers.includes('amx')) return 'amx';
  return features.includes('avx512vnni') && /AMD/.test(cpu) ? 'zen4' : 'other';
}

export const atLeast = (floor: number, goal?: number): Bar => ({ kind: '>=', floor, ...(goal === undefined ? {} : { goal }) });
export const atMost = (floor: number): Bar => ({ kind: '<=', floor });

/** Bars by figure and machine. DistilBERT-base shapes, 80% zeros unless said, one core unless said. */
const BARS: Readonly<Record<string, Partial<Record<Machine, Bar>>>> = {
  'vnni share 768': { zen4: atLeast(90, 93), amx: atLeast(55, 60) },
  'vnni share 3072': { zen4: atLeast(95, 97), amx: atLeast(60, 64) },
  'dense share': { zen4: atLeast(90), amx: atLeast(90) },
  'tile share': { amx: atLeast(50) },
  'attention share': { zen4: atLeast(75), amx: atLeast(57) },
  'bf16 share': { zen4: atLeast(97) },
  'product 128': { zen4: atLeast(4.8, 5.2), amx: atLeast(1.7, 2.2) },
  'body 1x128': { zen4: atLeast(5.2, 5.8), amx: atLeast(3.4, 4.8) },
  'body 8x128': { zen4: atLeast(4.8, 5.6), amx: atLeast(4.2, 5.8) },
  'body 1x384': { zen4: atLeast(4.6, 5.1), amx: atLeast(4.0, 5.4) },
  'body 8x384': { zen4: atLeast(4.5, 5.4), amx: atLeast(4.2, 5.8) },
  'dense 1x128': { zen4: atLeast(1.35), amx: atLeast(2) },
  'dense 8x128': { zen4: atLeast(1.35), amx: atLeast(2) },
  'dense 1x384': { zen4: atLeast(1.5), amx: atLeast(2) },
  'dense 8x384': { zen4: atLeast(1.5), amx: atLeast(2) },
  'body90 1x128': { zen4: atLeast(8.5, 10), amx: atLeast(4.0, 5.0) },
  peers: { zen4: atLeast(2, 3), amx: atLeast(1.6, 2.3) },
  'outside 128': { zen4: atMost(18) },
  'outside 384': { zen4: atMost(38) },
};

const EVERYWHERE: Readonly<Record<string, Bar>> = {
  fp32: atLeast(1),
  'two cores': atLeast(1.85),
  packing: atLeast(1.6),
  'two instances': atLeast(1.9),
  'pool throughput': atLeast(0.9),
};

/** The bar of a figure on this machine, to be spread into a row. */
export function barOf(figure: string): { bar?: Bar } {
  const bar = EVERYWHERE[figure] ?? BARS[figure]?.[machine()];
  return bar ? { bar } : {};
}
