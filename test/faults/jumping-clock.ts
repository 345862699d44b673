/**
 * Loaded into an agent before its own code: SIGUSR2 sets its wall clock an hour back, the next one an hour ahead of the
 * true time. Only what it sees of the time of day changes, as when somebody sets the clock of a host; the machine of the
 * tests keeps its own.
 */
const TrueDate = Date;
const hourMs = 3_600_000;
let offsetMs = 0;

class JumpingDate extends TrueDate {
  constructor(...given: []) {
    if (given.length === 0) super(TrueDate.now() + offsetMs);
    else super(...given);
  }

  static override now(): number {
    return TrueDate.now() + offsetMs;
  }
}

globalThis.Date = JumpingDate as DateConstructor;
process.on('SIGUSR2', () => {
  offsetMs = offsetMs === -hourMs ? hourMs : -hourMs;
});
