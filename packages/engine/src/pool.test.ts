import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../tooling/models/encoder';
import { compileModel, type LoadedModel, load, type Pool, quantize, type Tensor } from './index';

const SHAPE = {
  family: 'distilbert',
  layers: 2,
  hidden: 64,
  heads: 2,
  ffn: 256,
  vocabulary: 200,
  positions: 128,
  sparsity: 0.8,
  seed: 5,
} as const;
const LENGTHS = [5, 7, 17, 31, 32, 33, 40, 64, 9, 12, 63, 2];

/** A request of `length` tokens, the last `hidden` of them masked. */
function request(length: number, seed: number, hidden = 0): Record<string, Tensor> {
  const tensor = (element: (i: number) => number): Tensor => ({
    dtype: 's64',
    dims: [1, length],
    data: BigInt64Array.from({ length }, (_, i) => BigInt(element(i))),
  });
  return { input_ids: tensor((i) => (i * 17 + seed * 31) % 200), attention_mask: tensor((i) => Number(i < length - hidden)) };
}

const open = { instances: 2, threadsPerInstance: 1, maxBatch: 4, maxQueue: 100 };
const pools: Pool[] = [];
const models = new Map<string, LoadedModel>();
async function poolOf(name: string): Promise<Pool> {
  const pool = await models.get(name)!.pool(open);
  pools.push(pool);
  return pool;
}

beforeAll(async () => {
  const graph = await compileModel(encoderModel(SHAPE));
  models.set('f32', await load(graph));
  models.set('int8', await load((await quantize(graph, { samples: [request(100, 0), request(40, 3)], threads: 1 })).graph));
});
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

describe.each([['int8'], ['f32']])('a pool of an %s model', (name) => {
  it('joins requests of different lengths, and gives each the answer that it gets alone, bit for bit', async () => {
    const model = models.get(name)!;
    const [session, pool] = [await model.session({ threads: 1 }), await poolOf(name)];
    const requests = LENGTHS.map((length, i) => request(length, i, i % 3));
    const answers = await Promise.all(requests.map((each) => pool.run(each)));
    for (const [i, each] of requests.entries()) {
      const alone = await session.run(each);
      for (const { name: output } of model.outputs) {
        expect(answers[i]![output]!.dims).toEqual([1, LENGTHS[i]]);
        // Masked positions carry no meaning.
        const visible = LENGTHS[i]! - (i % 3);
        expect(answers[i]![output]!.data.slice(0, visible)).toEqual(alone[output]!.data.slice(0, visible));
      }
    }
    expect(pool.statistics.batches).toBeLessThan(LENGTHS.length);
    await session.close();
  });
});

it('lets a request that contradicts the model fail alone, not the others of its batch', async () => {
  const pool = await poolOf('int8');
  const bad = request(8, 1);
  (bad['input_ids']!.data as BigInt64Array)[3] = 10n ** 9n;
  const outcomes = await Promise.allSettled(
    [request(8, 2), request(8, 3), bad, request(8, 4), request(8, 5)].map((each) => pool.run(each)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(outcomes[2]).toMatchObject({ reason: { code: 'E_REQUEST' } });
});

it('takes sequences up to the position table, and no longer ones', async () => {
  const pool = await poolOf('int8');
  const [longest, beyond] = await Promise.allSettled([pool.run(request(128, 1)), pool.run(request(129, 1))]);
  expect(longest.status).toBe('fulfilled');
  expect(beyond).toMatchObject({ status: 'rejected', reason: { code: 'E_REQUEST', message: expect.stringContaining('positions') } });
});
