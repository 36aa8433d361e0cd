import type { Dim, Shape } from '@neural-engine/core';

/**
 * Arithmetic on dimensions that may be symbols.
 *
 * A symbol stands for a number of at least zero. Sums and products of symbols are written in one canonical form (`2*seq+1`,
 * `batch*seq`), so that equal expressions are equal strings. What cannot be written that way is `null`: unknown.
 */

/** Coefficient by monomial; a monomial is its sorted atoms joined by `*`, and `''` is the constant term. */
type Polynomial = Map<string, number>;

const EXPRESSION = /^-?[\w.]+(?:[-+*][\w.]+)*$/;
const NUMBER = /^\d+$/;
/** Files choose symbols, so expressions over them are bounded: what grows beyond this is unknown. */
const MAX_TERMS = 8;
const MAX_LENGTH = 160;

function parse(dim: number | string): Polynomial {
  if (typeof dim === 'number') return new Map(dim === 0 ? [] : [['', dim]]);
  if (!EXPRESSION.test(dim)) return new Map([[dim, 1]]);
  const terms: Polynomial = new Map();
  for (const [term] of dim.matchAll(/[-+]?[^-+]+/g)) {
    let coefficient = term.startsWith('-') ? -1 : 1;
    const atoms: string[] = [];
    for (const factor of term.replace(/^[-+]/, '').split('*')) {
      if (NUMBER.test(factor)) coefficient *= Number(factor);
      else atoms.push(factor);
    }
    addTerm(terms, atoms.sort().join('*'), coefficient);
  }
  return terms;
}

function addTerm(terms: Polynomial, monomial: string, coefficient: number): void {
  const sum = (terms.get(monomial) ?? 0) + coefficient;
  if (sum === 0) terms.delete(monomial);
  else terms.set(monomial, sum);
}

function format(terms: Polynomial): Dim {
  for (const coefficient of terms.values()) if (!Number.isSafeInteger(coefficient)) return null;
  if (terms.size === 0) return 0;
  if (terms.size === 1 && terms.has('')) return terms.get('')!;
  if (terms.size > MAX_TERMS) return null;
  const order = [...terms].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  let text = '';
  for (const [monomial, coefficient] of order) {
    const sign = coefficient < 0 ? '-' : text === '' ? '' : '+';
    const size = Math.abs(coefficient);
    text += sign + (monomial === '' ? size : size === 1 ? monomial : `${size}*${monomial}`);
  }
  return text.length > MAX_LENGTH ? null : text;
}

const exact = (value: number): Dim => (Number.isSafeInteger(value) ? value : null);

export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return exact(a + b);
  if (a === null || b === null) return null;
  if (a === 0) return b;
  if (b === 0) return a;
  const sum = parse(a);
  for (const [monomial, coefficient] of parse(b)) addTerm(sum, monomial, coefficient);
  return format(sum);
}

export function subtractDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return exact(a - b);
  if (a === null || b === null) return null;
  if (a === b) return 0;
  if (b === 0) return a;
  const difference = parse(a);
  for (const [monomial, coefficient] of parse(b)) addTerm(difference, monomial, -coefficient);
  return format(difference);
}

/** The product; zero times anything is zero, even times an unknown. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (a === 0 || b === 0) return 0;
  if (typeof a === 'number' && typeof b === 'number') return exact(a * b);
  if (a === null || b === null) return null;
  if (a === 1) return b;
  if (b === 1) return a;
  const product: Polynomial = new Map();
  const right = parse(b);
  for (const [left, x] of parse(a)) {
    for (const [monomial, y] of right) {
      const atoms = [...(left ? left.split('*') : []), ...(monomial ? monomial.split('*') : [])];
      addTerm(product, atoms.sort().join('*'), x * y);
    }
  }
  return format(product);
}

/** The quotient where it is exact whatever the symbols stand for; else, and for a zero divisor, `null`. */
export function divideDims(a: Dim, b: Dim): Dim {
  if (a === null || b === null || b === 0) return null;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') return a % b === 0 ? a / b : null;
  if (a === b) return 1;
  const divisor = [...parse(b)];
  if (divisor.length !== 1) return null;
  const [monomial, coefficient] = divisor[0]!;
  const quotient: Polynomial = new Map();
  for (const [term, x] of parse(a)) {
    if (x % coefficient !== 0) return null;
    const atoms = term ? term.split('*') : [];
    for (const atom of monomial ? monomial.split('*') : []) {
      const at = atoms.indexOf(atom);
      if (at < 0) return null;
      atoms.splice(at, 1);
    }
    addTerm(quotient, atoms.join('*'), x / coefficient);
  }
  return format(quotient);
}

/** The product of all dims; 1 for rank 0. */
export function dimProduct(shape: Shape): Dim {
  if (shape.includes(0)) return 0;
  let product: Dim = 1;
  for (const dim of shape) product = multiplyDims(product, dim);
  return product;
}

/** True for a plain symbol, which stands for a number of at least zero; a derived one such as `seq-2` may be negative. */
export const isPlainSymbol = (dim: Dim): dim is string => typeof dim === 'string' && !dim.includes('-');

/**
 * What two dims that must be equal are together, or undefined where they cannot be: the more specific of the two.
 * Different symbols are taken to agree; planning with numbers finds out.
 */
export function unifyDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a === b ? a : undefined;
  if (typeof a === 'number' || b === null) return a;
  if (typeof b === 'number' || a === null) return b;
  return a;
}

/** One dimension of a multidirectional broadcast, or undefined where the two do not fit. */
function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return a;
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number') return typeof b === 'number' ? undefined : a;
  return typeof b === 'number' ? b : null;
}

/** The common shape of two operands under ONNX's multidirectional broadcasting, or undefined where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out = new Array<Dim>(rank);
  for (let i = 0; i < rank; i++) {
    const x = i < rank - a.length ? 1 : a[i - rank + a.length]!;
    const y = i < rank - b.length ? 1 : b[i - rank + b.length]!;
    const dim = broadcastDim(x, y);
    if (dim === undefined) return undefined;
    out[i] = dim;
  }
  return out;
}
