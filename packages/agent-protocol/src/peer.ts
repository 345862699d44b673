import { MillraceError } from '@millrace/core';
import type { MethodTable, ParamsOf, ProgressOf, ResultOf } from './messages.ts';

/** To be filled by the owner of this file; see CONTRACT below. */
export type { MethodTable, ParamsOf, ProgressOf, ResultOf };
export { MillraceError };
