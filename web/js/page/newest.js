/**
 * Questions of which only the newest matters: one is on its way, and of those that come meanwhile the last one waits.
 */

export class Newest {
  #waiting = null;
  #busy = false;

  /** `ask(question)` gives a promise; `answered(answer, question)` is called with what comes of it. */
  constructor(ask, answered) {
    this.ask = ask;
    this.answered = answered;
  }

  async put(question) {
    this.#waiting = { question };
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting) {
        const { question: next } = this.#waiting;
        this.#waiting = null;
        this.answered(await this.ask(next), next);
      }
    } finally {
      this.#busy = false;
    }
  }
}
