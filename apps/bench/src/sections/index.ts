import type { SectionSpec } from '../context';
import { accuracySection } from './accuracy';
import { bodies } from './bodies';
import { chart } from './chart';
import { costsSection } from './costs';
import { fp32 } from './fp32';
import { instancesSection } from './instances';
import { kernels } from './kernels/index';
import { memorySection } from './memory';
import { peersSection } from './peers';
import { poolSection } from './pool';
import { precisionsSection } from './precisions';
import { prefetchSection } from './prefetch/index';
import { profileSection } from './profile';
import { scalingSection } from './scaling';

/** Every section, in the order of the record. */
export const SECTIONS: readonly SectionSpec[] = [
  kernels,
  bodies,
  chart,
  profileSection,
  scalingSection,
  fp32,
  precisionsSection,
  costsSection,
  memorySection,
  instancesSection,
  poolSection,
  peersSection,
  accuracySection,
  prefetchSection,
];
