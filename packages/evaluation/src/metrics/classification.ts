import { EngineError } from '@neural-engine/core';

type Numbers = ArrayLike<number>;

/** @throws {EngineError} E_DATASET nothing to score, or lists of different lengths. */
function requirePairs(a: Numbers, b: Numbers): number {
  if (a.length !== b.length) throw new EngineError('E_DATASET', 'evaluate', `${a.length} predictions for ${b.length} labels`);
  if (a.length === 0) throw new EngineError('E_DATASET', 'evaluate', 'there is nothing to score');
  return a.length;
}

/** Fraction of equal entries. */
export function accuracy(predictions: Numbers, labels: Numbers): number {
  const count = requirePairs(predictions, labels);
  let same = 0;
  for (let i = 0; i < count; i++) if (predictions[i] === labels[i]) same++;
  return same / count;
}

/** F1 of one class: harmonic mean of precision and recall; 0 where the class is neither predicted nor there. */
export function f1Score(predictions: Numbers, labels: Numbers, positive = 1): number {
  const count = requirePairs(predictions, labels);
  let both = 0;
  let either = 0;
  for (let i = 0; i < count; i++) {
    const predicted = predictions[i] === positive;
    const there = labels[i] === positive;
    if (predicted && there) both++;
    either += Number(predicted) + Number(there);
  }
  return either === 0 ? 0 : (2 * both) / either;
}

/** Mean F1 over the classes that occur among predictions or labels. */
export function macroF1(predictions: Numbers, labels: Numbers): number {
  requirePairs(predictions, labels);
  const classes = new Set([...Array.from(predictions), ...Array.from(labels)]);
  let sum = 0;
  for (const positive of classes) sum += f1Score(predictions, labels, positive);
  return sum / classes.size;
}

/** Matthews' correlation for any number of classes (Gorodkin's R_K), −1 to 1; 0 where predictions or labels are all alike. */
export function matthewsCorrelation(predictions: Numbers, labels: Numbers): number {
  const count = requirePairs(predictions, labels);
  const predicted = new Map<number, number>();
  const there = new Map<number, number>();
  let same = 0;
  for (let i = 0; i < count; i++) {
    const p = predictions[i]!;
    const l = labels[i]!;
    predicted.set(p, (predicted.get(p) ?? 0) + 1);
    there.set(l, (there.get(l) ?? 0) + 1);
    if (p === l) same++;
  }
  let cross = 0;
  for (const [value, times] of predicted) cross += times * (there.get(value) ?? 0);
  const squares = (counts: Map<number, number>) => [...counts.values()].reduce((sum, times) => sum + times * times, 0);
  const spread = Math.sqrt((count * count - squares(predicted)) * (count * count - squares(there)));
  return spread === 0 ? 0 : (same * count - cross) / spread;
}

/** Pearson's correlation; 0 where one side is constant. */
export function pearsonCorrelation(a: Numbers, b: Numbers): number {
  const count = requirePairs(a, b);
  const mean = (values: Numbers) => Array.from(values).reduce((sum, value) => sum + value, 0) / count;
  const meanA = mean(a);
  const meanB = mean(b);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < count; i++) {
    const da = a[i]! - meanA;
    const db = b[i]! - meanB;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa === 0 || bb === 0 ? 0 : ab / (Math.sqrt(aa) * Math.sqrt(bb));
}

/** Spearman's correlation: Pearson's of the ranks, where equal values share the mean of theirs. */
export const spearmanCorrelation = (a: Numbers, b: Numbers): number => pearsonCorrelation(ranksOf(a), ranksOf(b));

function ranksOf(values: Numbers): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) ranks[order[i]!] = (from + to + 1) / 2;
    from = to;
  }
  return ranks;
}
