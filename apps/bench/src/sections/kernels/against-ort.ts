import { encodeModel } from '@neural-engine/onnx';
import type { Session } from '@neural-engine/runtime';
import * as ort from 'onnxruntime-node';
import type { Context } from '../../context';
import { random } from '../../feeds';
import { barOf } from '../../goals';
import { openPeer } from '../../models';
import { ortProduct } from '../../ort-graphs';
import { type Contestant, fastestOf, median, race, type Times, timed } from '../../race';
import type { Row, Section } from '../../record';
import { int8Product, kernelOf, SHAPES } from './product';

const PEERS = ['QLinearMatMul', 'MatMulInteger'] as const;

/** The kernel that the engine chooses against ONNX Runtime's product of the same shape. */
export async function againstOrt({ quick, step }: Context): Promise<Section[]> {
  const rows: Row[] = [];
  for (const tokens of quick ? [128] : [64, 128, 384]) {
    const sums = { ours: 0, theirs: 0, whole: 0 };
    for (const { m, k, count } of SHAPES) {
      step(`${m}×${k}, ${tokens} tokens, against ONNX Runtime`);
      const product = int8Product(m, k, 0.8);
      const sessions: [string, { run: Contestant; session: Session; name: string }][] = [];
      for (const policy of ['auto', 'never'] as const) sessions.push([policy, await kernelOf(product, policy, tokens)]);
      const peers = await Promise.all(
        [...PEERS, 'none' as const].map(async (form) => [form, await openPeer(encodeModel(ortProduct(form, k, m)), 1)] as const),
      );
      const next = random(5);
      const x = new ort.Tensor(
        'uint8',
        Uint8Array.from({ length: tokens * k }, () => next() * 256),
        [tokens, k],
      );
      const contestants = new Map<string, Contestant>(sessions.map(([name, { run }]) => [name, run]));
      for (const [form, peer] of peers)
        contestants.set(
          form,
          timed(() => peer.run({ x })),
        );
      const times = await race(contestants, { seconds: quick ? 0.6 : 2, atMost: 5000 });
      const best = fastestOf(times, PEERS);
      const [ours, theirs, call] = ['auto', best, 'none'].map((name) => median(times.get(name)!)) as [number, number, number];
      sums.ours += count * ours;
      sums.theirs += count * (theirs - call);
      sums.whole += count * theirs;
      const kernel = sessions[0]![1].name;
      rows.push({
        what: `${m}×${k}, 80% zeros, ${tokens} tokens: ${kernel}`,
        measured: net(times, best),
        unit: '× ONNX Runtime',
        detail: `${micro(ours)} against ${micro(theirs - call)} by ${best} (${micro(theirs)} with its call); our dense kernel ${micro(median(times.get('never')!))}`,
      });
      for (const [, { session }] of sessions) await session.close();
      for (const [, peer] of peers) await peer.release();
    }
    rows.push({
      what: `the six products of a layer, ${tokens} tokens`,
      measured: sums.theirs / sums.ours,
      unit: '× ONNX Runtime',
      detail: `${micro(sums.ours)} against ${micro(sums.theirs)}; ${(sums.whole / sums.ours).toFixed(2)}× with the cost of its calls`,
      ...(tokens === 128 ? barOf('product 128') : {}),
    });
  }
  const note =
    'One core, runs in turn, medians. Ours is the kernel alone, as it is chosen for the weight, with u8 results; theirs is the faster of two operators, less the time of a call that only passes the input on. Both results are u8 or s32.';
  return [{ title: "Int8 products against ONNX Runtime's", note, rows }];
}

const micro = (milliseconds: number): string => `${(milliseconds * 1000).toFixed(1)} µs`;

/** Median over the rounds of their time, less that of an empty call, over ours. */
const net = (times: Times, best: string): number =>
  median(times.get('auto')!.map((value, i) => (times.get(best)![i]! - times.get('none')![i]!) / value));
