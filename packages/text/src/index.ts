export { Encoding } from './tokenizer/encoding';
export { loadTokenizer, type TokenizerSource } from './tokenizer/load-tokenizer';
export { type EncodeOptions, Tokenizer, type WindowOptions } from './tokenizer/tokenizer';
