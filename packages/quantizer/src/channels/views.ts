import type { ChannelPlan } from './plan';

/** A value derived from one that is observed. */
export interface ValueView {
  readonly name: string;
  readonly source: string;
  readonly of: (values: Float32Array) => Float32Array;
}

export const balancedName = (value: string): string => `${value}:balanced`;
export const restName = (value: string): string => `${value}:rest`;
export const outliersName = (value: string): string => `${value}:outliers`;

/** What is counted beside the values themselves where channels are not coded alike. */
export function viewsOf({ multipliers, outliers }: ChannelPlan): ValueView[] {
  return [
    ...[...multipliers].map(([source, factors]) => ({
      name: balancedName(source),
      source,
      of: (values: Float32Array) => scaled(values, factors),
    })),
    ...[...outliers].flatMap(([source, { channels, width }]) => [
      { name: restName(source), source, of: (values: Float32Array) => without(values, channels, width) },
      { name: outliersName(source), source, of: (values: Float32Array) => only(values, channels, width) },
    ]),
  ];
}

const scaled = (values: Float32Array, factors: Float32Array): Float32Array => {
  const out = new Float32Array(values.length);
  const width = factors.length;
  for (let at = 0; at < out.length; at += width) for (let c = 0; c < width; c++) out[at + c] = values[at + c]! * factors[c]!;
  return out;
};

/** The channels become zeros, as they are in the product that makes the others. */
const without = (values: Float32Array, channels: readonly number[], width: number): Float32Array => {
  const out = values.slice();
  for (let at = 0; at < out.length; at += width) for (const c of channels) out[at + c] = 0;
  return out;
};

const only = (values: Float32Array, channels: readonly number[], width: number): Float32Array => {
  const out = new Float32Array((values.length / width) * channels.length);
  for (let at = 0, to = 0; at < values.length; at += width) for (const c of channels) out[to++] = values[at + c]!;
  return out;
};
