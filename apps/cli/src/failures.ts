/** A command line that cannot be obeyed. The text is for the person at the keyboard. */
export class UsageError extends Error {
  /** True when a newer catalogue of commands could make the line right. */
  readonly dependsOnCatalogue: boolean;

  constructor(message: string, options: { dependsOnCatalogue?: boolean } = {}) {
    super(message);
    this.name = 'UsageError';
    this.dependsOnCatalogue = options.dependsOnCatalogue ?? false;
  }
}

/** No credentials to call with. */
export class CredentialsError extends Error {}

/** Ctrl-C. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}
