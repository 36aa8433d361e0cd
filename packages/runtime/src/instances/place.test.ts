import type { Cpu } from '@neural-engine/kernels';
import { describe, expect, it } from 'vitest';
import { type Machine, placeInstances } from './place';

/** A machine of sockets with `cores` cores each, an L3 for every `l3` of them; hyper-threads are numbered after all cores, as Linux does. */
interface Shape {
  readonly sockets?: number;
  readonly cores?: number;
  readonly l3?: number;
  readonly threads?: number;
  readonly quota?: number | null;
}
function machine({ sockets = 1, cores = 8, l3 = cores, threads = 1, quota = null }: Shape): Machine {
  const total = sockets * cores;
  const cpus = Array.from({ length: total * threads }, (_, number): Cpu => {
    const core = number % total;
    return { number, core, package: Math.floor(core / cores), node: Math.floor(core / cores), l3: core - (core % l3) };
  });
  return { cpus, quota };
}
const coresOf = (placements: readonly { cores: readonly number[] }[]): number[][] => placements.map((placement) => [...placement.cores]);

describe('placeInstances', () => {
  it('is one instance on all physical cores unless told otherwise', () => {
    expect(placeInstances({}, machine({ cores: 4, threads: 2 }))).toEqual([{ threads: 4, cores: [0, 1, 2, 3], node: 0 }]);
  });
  it.each([
    [24, 6],
    [7, 1],
    [3, 1],
    [1, 1],
  ])('auto makes of a socket with %i cores %i instances of four, as the original does', (count, instances) => {
    const placed = placeInstances({ instances: 'auto' }, machine({ sockets: 2, cores: count, threads: 2 }));
    expect(placed).toHaveLength(instances);
    for (const { threads, cores, node } of placed)
      expect([threads, cores.length, node]).toEqual([Math.min(4, count), Math.min(4, count), 0]);
  });
  it('auto takes the socket of which the process may use most', () => {
    const { cpus } = machine({ sockets: 2, cores: 8 });
    const placed = placeInstances({ instances: 'auto' }, { cpus: cpus.filter(({ number }) => number >= 6), quota: null });
    expect(placed).toEqual([
      { threads: 4, cores: [8, 9, 10, 11], node: 1 },
      { threads: 4, cores: [12, 13, 14, 15], node: 1 },
    ]);
  });
  it('keeps an instance under one L3 while such are left, and binds memory only where its cores share a node', () => {
    const narrow = machine({ cores: 12, l3: 6 });
    expect(coresOf(placeInstances({ instances: 3, threadsPerInstance: 4 }, narrow))).toEqual([
      [0, 1, 2, 3],
      [6, 7, 8, 9],
      [4, 5, 10, 11],
    ]);
    const placed = placeInstances({ instances: 3, threadsPerInstance: 2 }, machine({ sockets: 2, cores: 3 }));
    expect(placed.map(({ cores, node }) => [...cores, node])).toEqual([
      [0, 1, 0],
      [3, 4, 1],
      [2, 5, undefined],
    ]);
  });
  it('divides the cores by what is given', () => {
    expect(coresOf(placeInstances({ instances: 2 }, machine({ cores: 5 })))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(placeInstances({ threadsPerInstance: 2 }, machine({ cores: 7 }))).toHaveLength(3);
    expect(placeInstances({ instances: 4 }, machine({ cores: 2 })).map((placed) => placed.threads)).toEqual([1, 1, 1, 1]);
  });
  it('stays within a quota, however many CPUs there are', () => {
    expect(placeInstances({}, machine({ cores: 16, quota: 2.5 }))).toEqual([{ threads: 3, cores: [0, 1, 2], node: 0 }]);
    expect(placeInstances({ instances: 'auto' }, machine({ cores: 16, quota: 8 }))).toHaveLength(2);
    expect(placeInstances({}, machine({ cores: 16, quota: 0.5 }))[0]).toMatchObject({ threads: 1 });
  });
  it('uses hyper-threads after all cores, and pins nothing when there are more threads than CPUs', () => {
    const small = machine({ cores: 2, threads: 2 });
    expect(
      coresOf(placeInstances({ instances: 4, threadsPerInstance: 1 }, small))
        .flat()
        .sort(),
    ).toEqual([0, 1, 2, 3]);
    expect(placeInstances({ instances: 3, threadsPerInstance: 2 }, small)).toEqual(Array(3).fill({ threads: 2, cores: [] }));
  });
  it('takes the CPUs that are named, hyper-threads too, and refuses those of others', () => {
    const big = machine({ cores: 4, threads: 2 });
    expect(coresOf(placeInstances({ cores: [0, 4, 1, 1], instances: 3 }, big))).toEqual([[0], [4], [1]]);
    expect(() => placeInstances({ cores: [0, 99] }, big)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining('CPU 99') }),
    );
    expect(() => placeInstances({ cores: [] }, big)).toThrow('no CPU is named');
  });
  it.each([[{ instances: 0 }], [{ instances: 1.5 }], [{ threadsPerInstance: 0 }], [{ instances: 1e9 }]])('refuses %j', (options) => {
    expect(() => placeInstances(options, machine({}))).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });
  it('places on this machine only what the process may use', () => {
    const placed = placeInstances({ instances: 'auto' });
    expect(placed.length).toBeGreaterThan(0);
  });
});
