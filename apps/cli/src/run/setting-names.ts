import { profileKeys } from '../catalogue/profile-file.ts';

/** What `set` takes: the settings of a profile, and `profile` itself. */
export const settingNames: readonly string[] = ['profile', ...profileKeys];
