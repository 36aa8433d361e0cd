import { isFloat, type Tensor } from './engine';

/** ONNX's own tolerances for its backend tests. */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-7;

/** Where two tensors differ: dtype and dims exactly, integers exactly, floats within the tolerances; undefined when they agree. */
export function difference(got: Tensor, want: Tensor, widen: (tensor: Tensor) => ArrayLike<number | bigint>): string | undefined {
  if (got.dtype !== want.dtype) return `dtype ${got.dtype}, expected ${want.dtype}`;
  if (got.dims.join() !== want.dims.join()) return `dims [${got.dims.join(', ')}], expected [${want.dims.join(', ')}]`;
  const [a, b] = [widen(got), widen(want)];
  for (let i = 0; i < b.length; i++) {
    const same = isFloat(got.dtype) ? close(a[i] as number, b[i] as number) : a[i] === b[i];
    if (!same) return `element ${i} is ${a[i]}, expected ${b[i]}`;
  }
  return undefined;
}

function close(got: number, want: number): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (!Number.isFinite(want)) return got === want;
  return Math.abs(got - want) <= ABSOLUTE + RELATIVE * Math.abs(want);
}
