/** What a GLUE task's files look like and how it is scored. */
export interface GlueTask {
  readonly text: string;
  readonly pair?: string;
  readonly label: string;
  /** Class names in the order of the labels' numbers; absent for scores. */
  readonly labels?: readonly string[];
  /** Bounds of the score of a regression task. */
  readonly scores?: readonly [number, number];
  readonly header?: false;
}

/** The nine tasks with the columns of their published tsv files; files with the columns of the hub's copies are recognised too. */
export const GLUE_TASKS = {
  cola: { text: '3', label: '1', labels: ['unacceptable', 'acceptable'], header: false },
  sst2: { text: 'sentence', label: 'label', labels: ['negative', 'positive'] },
  mrpc: { text: '#1 String', pair: '#2 String', label: 'Quality', labels: ['not_equivalent', 'equivalent'] },
  qqp: { text: 'question1', pair: 'question2', label: 'is_duplicate', labels: ['not_duplicate', 'duplicate'] },
  stsb: { text: 'sentence1', pair: 'sentence2', label: 'score', scores: [0, 5] },
  mnli: { text: 'sentence1', pair: 'sentence2', label: 'gold_label', labels: ['entailment', 'neutral', 'contradiction'] },
  qnli: { text: 'question', pair: 'sentence', label: 'label', labels: ['entailment', 'not_entailment'] },
  rte: { text: 'sentence1', pair: 'sentence2', label: 'label', labels: ['entailment', 'not_entailment'] },
  wnli: { text: 'sentence1', pair: 'sentence2', label: 'label', labels: ['not_entailment', 'entailment'] },
} as const satisfies Record<string, GlueTask>;

export type GlueTaskName = keyof typeof GLUE_TASKS;

/** Columns that are looked for where none are named: text and, for pairs, its partner. The first that a file has is taken. */
export const KNOWN_TEXT_COLUMNS: readonly { readonly text: string; readonly pair?: string }[] = [
  { text: 'sentence1', pair: 'sentence2' },
  { text: 'question1', pair: 'question2' },
  { text: 'question', pair: 'sentence' },
  { text: 'premise', pair: 'hypothesis' },
  { text: '#1 String', pair: '#2 String' },
  { text: 'sentence' },
  { text: 'text' },
];

export const KNOWN_LABEL_COLUMNS: readonly string[] = ['label', 'gold_label', 'is_duplicate', 'Quality', 'score'];
