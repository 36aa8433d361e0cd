import { cacheDirectory } from '@neural-engine/engine';
import { isa } from '@neural-engine/kernels';
import type { Row } from './output/table';

const MEANING: Readonly<Record<string, string>> = {
  amx: 'matrix tiles for int8, dense and sparse, and bf16; VNNI where skipping zeros is faster',
  avx512_vnni: 'the full int8 kernels, dense and sparse',
  avx2: 'int8 by widening to 16 bits: correct, several times slower than AVX-512 VNNI',
  scalar: 'plain loops: correct, for trying things out only',
};

/** Facts about CPU, kernels and limits, with what follows from each. */
export function doctor(version: string): { rows: Row[]; facts: Record<string, unknown> } {
  const report = isa();
  const cores = report.physicalCpus.length;
  const megabytes = (bytes: number): string =>
    bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(2)} MiB` : `${(bytes / 1024).toFixed(0)} KiB`;
  const rows: Row[] = [
    { what: 'version', found: version, means: `Node ${process.versions.node}, ${process.platform}-${process.arch}` },
    { what: 'CPU', found: report.cpu, means: `${report.allowedCpus.length} logical CPUs allowed, ${cores} cores` },
    { what: 'kernels', found: report.tier, means: MEANING[report.tier] ?? '' },
    { what: 'tiers it runs', found: report.tiers.join(', '), means: 'NE_MAX_CPU_ISA forces a lower one' },
    { what: 'instruction sets', found: report.features.join(' '), means: '' },
    {
      what: 'caches',
      found: `L1 ${megabytes(report.caches.l1d)}, L2 ${megabytes(report.caches.l2)}, L3 ${megabytes(report.caches.l3)}`,
      means: 'a layer of 64 tokens should fit L2',
    },
    {
      what: 'CPU quota',
      found: report.quota === null ? 'none' : `${report.quota} CPUs`,
      means: `a session has ${report.defaultThreads} threads by default`,
    },
    { what: 'packed weights', found: cacheDirectory() ?? 'no folder', means: 'NE_CACHE_DIR moves them, NE_CACHE_BYTES limits them' },
  ];
  return {
    rows,
    facts: {
      version,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      isa: report,
      cache: cacheDirectory() ?? null,
    },
  };
}
