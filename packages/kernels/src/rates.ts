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

/** Instructions by the end of a kernel's name; of several, the first that the CPU has. */
const INSTRUCTIONS: readonly [RegExp, readonly string[]][] = [
  [/u8s8.*_amx$/, ['tdpbusd tmm']],
  [/u8s8.*_avx512_vnni$/, ['vpdpbusd zmm']],
  [/u8s8.*_avx_vnni$/, ['vpdpbusd ymm']],
  [/u8s8.*_avx2$/, ['vpmaddwd ymm']],
  [/u8s8|_i8$/, ['vpdpbusd zmm', 'vpdpbusd ymm', 'vpmaddwd ymm']],
  [/bf16.*_amx$/, ['tdpbf16ps tmm']],
  [/_avx512_bf16$/, ['vdpbf16ps zmm']],
  // bf16 on other CPUs is widened and multiplied as f32.
  [/f32.*_avx2$|bf16.*_avx2$/, ['vfmadd231ps ymm']],
  [/f32|bf16|^attention$/, ['vfmadd231ps zmm', 'vfmadd231ps ymm']],
];

/**
 * The rate that a kernel could reach at most.
 *
 * @param kernel its name as in `WeightSet.kernels`, or that of a step of a program.
 * @param rates of {@link instructionRates}.
 * @returns undefined for kernels that multiply nothing, and on CPUs without the instruction.
 */
export function rateOfKernel(kernel: string, rates: readonly InstructionRate[]): InstructionRate | undefined {
  const names = INSTRUCTIONS.find(([pattern]) => pattern.test(kernel))?.[1] ?? [];
  return names.flatMap((name) => rates.filter(({ instruction }) => instruction === name))[0];
}
