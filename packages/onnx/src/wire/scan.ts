import type { Limits } from '@neural-engine/core';
export function scan(_bytes: Uint8Array, _root: string, _limits: Limits): void {}
