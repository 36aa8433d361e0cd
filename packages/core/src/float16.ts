const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** f32 → bf16 bits, round to nearest even; NaN stays a quiet NaN. */
export function toBf16(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}

/** f16 bits → f32, exactly. */
export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** f32 → f16 bits, round to nearest even, overflow to infinity. */
export function toF16(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: scale so that one unit is 2^-24 and let the addition of 2^23 round to nearest even.
    const scaled = Math.abs(f32[0]!) * 2 ** 24;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

let f16Table: Float32Array | undefined;

/** Every f16 by its bit pattern. Made at first use: for large arrays looking up is ten times faster than computing. */
function tableOfF16(): Float32Array {
  if (!f16Table) {
    f16Table = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits++) f16Table[bits] = fromF16(bits);
  }
  return f16Table;
}

/** Widens a whole array of f16 or bf16 bit patterns to f32. */
export function widen(bits: Uint16Array, format: 'f16' | 'bf16'): Float32Array {
  const out = new Float32Array(bits.length);
  if (format === 'bf16') {
    const raw = new Uint32Array(out.buffer);
    for (let i = 0; i < bits.length; i++) raw[i] = bits[i]! << 16;
  } else if (bits.length < 65536) {
    for (let i = 0; i < bits.length; i++) out[i] = fromF16(bits[i]!);
  } else {
    const table = tableOfF16();
    for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  }
  return out;
}
