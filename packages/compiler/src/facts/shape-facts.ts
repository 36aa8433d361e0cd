import type { Dim, Shape } from '@neural-engine/core';

export const lastDim = (shape: Shape | undefined): Dim | undefined => shape?.at(-1);

/** Equal dim by dim, with nothing unknown: symbols of the same name stand for the same number. */
export function sameShape(a: Shape | undefined, b: Shape | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((dim, i) => dim !== null && dim === b[i]);
}

/** The more precise of two descriptions of one value, dim by dim. */
export function preciseShape(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b || a.length !== b.length) return a ?? b;
  return a.map((dim, i) => {
    const other = b[i]!;
    if (typeof dim === 'number' || other === null) return dim;
    return typeof other === 'number' || dim === null ? other : dim;
  });
}
