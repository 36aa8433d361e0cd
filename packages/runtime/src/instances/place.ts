import { EngineError } from '@neural-engine/core';
import type { Cpu } from '@neural-engine/kernels';
import { kernels } from '../kernels';

/** Where instances may be put. */
export interface PlaceOptions {
  /** How many. Default: as many as fit `threadsPerInstance`, else 1. `auto` asks for the throughput rule. */
  readonly instances?: number | 'auto';
  /** Threads of each. Default: the cores, divided evenly; 4 with `auto`. */
  readonly threadsPerInstance?: number;
  /** Logical CPUs to use, of those the process may use; default: one of each physical core. */
  readonly cores?: readonly number[];
}

/** What the placement depends on; {@link isa} knows it of this process. */
export interface Machine {
  readonly cpus: readonly Cpu[];
  /** CPUs' worth of time, null without a limit. */
  readonly quota: number | null;
}

/** One instance: its threads are pinned to `cores`, unless that is empty. */
export interface Placement {
  readonly threads: number;
  readonly cores: readonly number[];
  /** The NUMA node of all its cores, where they share one. */
  readonly node?: number;
}

/** Cores of an instance in the throughput rule, as in the original's scripts. */
const CORES_PER_INSTANCE = 4;
const MOST_INSTANCES = 1024;

/**
 * Divides the CPUs of this process among instances.
 *
 * The affinity mask (and with it the cpuset) says which CPUs there are, the cgroup's quota how many may be busy. Instances get whole
 * physical cores, together under one L3 cache and on one NUMA node where that is possible. `auto` takes one socket and
 * max(1, ⌊its cores / 4⌋) instances of 4 threads. Hyper-threads are used only when more threads are asked for than there are cores; with
 * more threads than CPUs nothing is pinned.
 *
 * @throws {EngineError} E_USAGE counts below 1, or cores that the process may not use.
 */
export function placeInstances(options: PlaceOptions = {}, machine: Machine = kernels().isa()): Placement[] {
  checkCount('instances', options.instances === 'auto' ? undefined : options.instances, MOST_INSTANCES);
  checkCount('threadsPerInstance', options.threadsPerInstance, 1024);
  const cpus = chosenCpus(options, machine);
  const cores = firstOfEachCore(cpus);
  // CPUs that were named are taken as they are; else hyper-threads come after all cores.
  const usable = options.cores ? cpus : [...cores, ...cpus.filter((cpu) => !cores.includes(cpu))];
  const within = Math.min(options.cores ? cpus.length : cores.length, quotaThreads(machine.quota));
  const { instances, threads } = counts(options, within);
  if (instances * threads > usable.length) return Array.from({ length: instances }, () => ({ threads, cores: [] }));
  return divide(usable.slice(0, Math.max(instances * threads, options.cores ? usable.length : cores.length)), instances, threads);
}

const quotaThreads = (quota: number | null): number => (quota === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(quota)));

function checkCount(name: string, value: number | undefined, most: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most))
    throw new EngineError('E_USAGE', 'usage', `${name}: expected a whole number from 1 to ${most}, got ${value}`, { where: name });
}

function counts({ instances, threadsPerInstance }: PlaceOptions, cores: number): { instances: number; threads: number } {
  if (instances === 'auto') {
    const threads = threadsPerInstance ?? Math.min(CORES_PER_INSTANCE, cores);
    return { instances: Math.max(1, Math.floor(cores / threads)), threads };
  }
  if (instances !== undefined) return { instances, threads: threadsPerInstance ?? Math.max(1, Math.floor(cores / instances)) };
  if (threadsPerInstance !== undefined)
    return { instances: Math.max(1, Math.floor(cores / threadsPerInstance)), threads: threadsPerInstance };
  return { instances: 1, threads: cores };
}

/** The CPUs to choose from, neighbours together: those named, in that order, or all; for `auto` those of the socket with most cores. */
function chosenCpus(options: PlaceOptions, { cpus }: Machine): readonly Cpu[] {
  if (options.cores) {
    const byNumber = new Map(cpus.map((cpu) => [cpu.number, cpu]));
    const refused = options.cores.filter((core) => !byNumber.has(core));
    if (refused.length > 0 || options.cores.length === 0) {
      const what = refused.length > 0 ? `CPU ${refused.join(', ')} is not among those this process may use` : 'no CPU is named';
      throw new EngineError('E_USAGE', 'usage', `cores: ${what}; it may use ${cpus.map((cpu) => cpu.number).join(', ')}`, {
        where: 'cores',
      });
    }
    return [...new Set(options.cores)].map((core) => byNumber.get(core)!);
  }
  const sorted = [...cpus].sort((a, b) => a.package - b.package || a.node - b.node || a.l3 - b.l3 || a.number - b.number);
  if (options.instances !== 'auto') return sorted;
  const sockets = groupBy(sorted, (cpu) => cpu.package);
  let largest: readonly Cpu[] = [];
  for (const socket of sockets.values()) if (firstOfEachCore(socket).length > firstOfEachCore(largest).length) largest = socket;
  return largest;
}

function firstOfEachCore(cpus: readonly Cpu[]): readonly Cpu[] {
  const seen = new Set<number>();
  return cpus.filter(({ core }) => !seen.has(core) && seen.add(core));
}

/** Gives each instance CPUs that share a cache while such are left, then what remains, in order. */
function divide(cpus: readonly Cpu[], instances: number, threads: number): Placement[] {
  const clusters = [...groupBy(cpus, (cpu) => `${cpu.node}/${cpu.l3}`).values()];
  return Array.from({ length: instances }, () => {
    // The fullest fit leaves large clusters whole; among equals the first.
    const fitting = clusters.filter((cluster) => cluster.length >= threads);
    const best = fitting.reduce<Cpu[] | undefined>(
      (least, cluster) => (least && least.length % threads <= cluster.length % threads ? least : cluster),
      undefined,
    );
    const taken = best ? best.splice(0, threads) : takeAcross(clusters, threads);
    const nodes = new Set(taken.map((cpu) => cpu.node));
    return { threads, cores: taken.map((cpu) => cpu.number), ...(nodes.size === 1 ? { node: taken[0]!.node } : {}) };
  });
}

function takeAcross(clusters: Cpu[][], count: number): Cpu[] {
  const taken: Cpu[] = [];
  for (const cluster of clusters) taken.push(...cluster.splice(0, count - taken.length));
  return taken;
}

function groupBy<K>(cpus: readonly Cpu[], key: (cpu: Cpu) => K): Map<K, Cpu[]> {
  const groups = new Map<K, Cpu[]>();
  for (const cpu of cpus) {
    const group = groups.get(key(cpu));
    if (group) group.push(cpu);
    else groups.set(key(cpu), [cpu]);
  }
  return groups;
}
