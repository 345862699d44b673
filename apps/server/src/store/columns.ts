import type { ColumnType, Generated, JSONColumnType } from 'kysely';

/** Kinds of columns that tables have. */
export type Created = ColumnType<Date, Date | undefined, never>;
export type Time = ColumnType<Date | null, Date | null | undefined, Date | null>;
export type Nullable<T> = ColumnType<T | null, T | null | undefined, T | null>;
export type Defaulted<T> = ColumnType<T, T | undefined, T>;
export type Json = JSONColumnType<object, string, string>;
export type NullableJson = ColumnType<unknown, string | null | undefined, string | null>;

export interface Identified {
  id: Generated<number>;
  uuid: string;
  created: Created;
  removed: Time;
}
