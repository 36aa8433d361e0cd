import { calling } from './errors';
import { native } from './load';
import type { IsaReport } from './types';

/**
 * What this CPU and this process can do, and which tier kernels use (`NE_MAX_CPU_ISA` caps it).
 *
 * @throws {EngineError} E_ISA no native library for this platform.
 */
export function isa(): IsaReport {
  const report = calling('load', () => native().isaReport());
  const { l1, l2, l3 } = report.caches;
  return { ...report, caches: { l1d: l1, l2, l3 }, quota: report.quota ?? null };
}
