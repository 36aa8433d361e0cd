export { importModel, OPSETS } from './import-model';
export { UnsupportedModelError, type UnsupportedNode } from './unsupported';
