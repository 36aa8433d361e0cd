import { demoModelDirectory } from '@neural-engine/demo-model';

/** The model a command works on: what was named, or the embedded one. */
export const modelPath = (argument: string | undefined): string => argument ?? demoModelDirectory();

/** How it is called in what a command prints. */
export const modelTitle = (argument: string | undefined): string => argument ?? 'embedded demo model (block-sparse DistilBERT, 80% zeros)';
