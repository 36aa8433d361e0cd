import { instructionRates, isa, rateOfKernel } from '@neural-engine/kernels';
import type { Context } from '../../context';
import { barOf } from '../../goals';
import { minimum, race } from '../../race';
import type { Row, Section } from '../../record';
import { bf16Product, int8Product, kernelOf, type Product, SHAPES } from './product';

interface Suite {
  readonly product: (m: number, k: number, zeros: number) => Product;
  readonly zeros: readonly number[];
  /** Figure whose bars apply to a row. */
  readonly figure: (zeros: number, k: number) => string;
}

/** Each product's share of the rate of its instruction; multiplications by skipped zeros do not count as done. */
async function measure({ quick, step }: Context, { product, zeros, figure }: Suite): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { m, k } of SHAPES) {
    for (const share of zeros) {
      const made = product(m, k, share);
      for (const tokens of quick ? [128] : [64, 128, 384]) {
        step(`${m}×${k}, ${share * 100}% zeros, ${tokens} tokens`);
        const { run, session, name } = await kernelOf(made, share === 0 ? 'never' : 'always', tokens);
        const before = rateOfKernel(name, instructionRates());
        const times = await race(new Map([['ours', run]]), { seconds: quick ? 0.3 : 0.8, atMost: 5000 });
        const fastest = minimum(times.get('ours')!);
        await session.close();
        // Tiles multiply by the zeros too: their sparse weights are only stored without them.
        const done = name.endsWith('_amx') ? m * k : made.used;
        const gmacs = (done * tokens) / fastest / 1e6;
        const peak = Math.max(before?.gmacs ?? 0, rateOfKernel(name, instructionRates())?.gmacs ?? 0);
        const detail = `${(fastest * 1000).toFixed(1)} µs, ${gmacs.toFixed(0)} of ${peak.toFixed(0)} GMAC/s by ${before?.instruction ?? 'no instruction'}, ${((m * k * tokens) / fastest / 1e6).toFixed(0)} as if dense`;
        const what = `${m}×${k}, ${share === 0 ? 'dense' : `${share * 100}% zeros`}, ${tokens} tokens: ${name}`;
        rows.push(
          peak > 0
            ? { what, measured: (100 * gmacs) / peak, unit: '%', detail, ...barOf(figure(share, k)) }
            : { what, measured: gmacs, unit: 'GMAC/s' },
        );
      }
    }
  }
  return rows;
}

const HOW = 'taken before and after in the same process. One core; fastest run of the product alone; weights as warm as they stay.';

/** Int8 products by bytes in vectors. */
export async function int8Shares(context: Context): Promise<Section[]> {
  const rows = await measure(context, {
    product: int8Product,
    zeros: [0, 0.7, 0.8, 0.9],
    figure: (zeros, k) => (zeros === 0 ? 'dense share' : zeros === 0.8 ? `vnni share ${k}` : ''),
  });
  const note = `Share of the rate of \`vpdpbusd\` on registers (of \`vpmaddwd\` and \`vpaddd\` on CPUs with neither form of VNNI), ${HOW}`;
  return [{ title: 'Int8 products against the instruction rate', note, rows }];
}

/** Int8 products on tiles, where this CPU has them. */
export async function tileShares(context: Context): Promise<Section[]> {
  const title = 'Int8 products on tiles against the rate of tiles';
  if (isa().tier !== 'amx') {
    const rows = [{ what: 'products on AMX tiles', measured: null, unit: '%', detail: 'this CPU has no AMX' }];
    return [{ title, rows }];
  }
  const rows = await measure(context, {
    product: int8Product,
    zeros: [0, 0.8],
    figure: (zeros) => (zeros === 0 ? 'tile share' : ''),
  });
  const note = `Share of the rate of \`tdpbusd\` with operands from L1, ${HOW} Kernels whose name does not end in \`amx\` were faster in vectors and are compared with their own instruction.`;
  return [{ title, note, rows }];
}

/** bf16 products. */
export async function bf16Shares(context: Context): Promise<Section[]> {
  const rows = await measure(context, { product: bf16Product, zeros: [0, 0.8], figure: (zeros) => (zeros === 0.8 ? 'bf16 share' : '') });
  const note = `Share of the rate of \`vdpbf16ps\` or \`tdpbf16ps\` (of \`vfmadd231ps\` on CPUs without bf16 instructions, where numbers are widened first), ${HOW}`;
  return [{ title: 'bf16 products against the instruction rate', note, rows }];
}
