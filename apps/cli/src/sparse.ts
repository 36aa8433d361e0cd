import { EngineError } from '@neural-engine/core';
import { SPARSE_POLICIES, type SparsePolicy } from '@neural-engine/sparsity';

/** What `--sparse` means. @throws {EngineError} E_USAGE no such policy. */
export function sparsePolicy(text: string): SparsePolicy {
  const policy = SPARSE_POLICIES.find((name) => name === text);
  if (policy) return policy;
  throw new EngineError('E_USAGE', 'usage', `--sparse ${text}: expected one of ${SPARSE_POLICIES.join(', ')}`);
}
