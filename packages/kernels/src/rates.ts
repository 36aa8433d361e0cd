import { calling } from './errors';
import { native } from './load';
import type { InstructionRate } from './types';

/**
 * Speed of the multiply-add instructions that the kernels rest on, on the core that calls: what to compare a kernel's speed with.
 *
 * Measures each for about 40 ms on the calling thread. Empty on CPUs without any of them.
 *
 * @throws {EngineError} E_ISA no native library for this platform.
 */
export const instructionRates = (): InstructionRate[] => calling('load', () => native().instructionRates());
