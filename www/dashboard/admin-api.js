// @ts-check
// A client of the admin API. Each action returns `null`, or its error as a sentence.

const PATH = '../api/v1/admin';

/** The admin API with a token. */
export class AdminApi {
  #token = '';

  /** @param {string} token */
  useToken(token) {
    this.#token = token;
  }

  /** @param {number} id */
  eject(id) {
    return this.#send('DELETE', `volunteers/${id}`);
  }

  /** @param {string} target Such as "address 203.0.113.7". */
  ban(target) {
    return this.#send('POST', 'bans', target);
  }

  /** @param {string} target */
  unban(target) {
    return this.#send('DELETE', `bans/${target.split(' ').map(encodeURIComponent).join('/')}`);
  }

  /**
   * @param {number} id
   * @param {number} percent
   */
  setEffort(id, percent) {
    return this.#send('PUT', `volunteers/${id}/effort`, String(percent));
  }

  /** @param {number} percent */
  setEffortOfAll(percent) {
    return this.#send('PUT', 'effort', String(percent));
  }

  /** @param {boolean} isPaused */
  setPaused(isPaused) {
    return this.#send('POST', isPaused ? 'pause' : 'resume');
  }

  /**
   * Returns all bans as text, or `null` if the server does not respond.
   * @returns {Promise<string[] | null>}
   */
  async bans() {
    const response = await this.#fetch('GET', 'bans');
    return response?.ok ? response.json().catch(() => null) : null;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} [body]
   */
  async #send(method, path, body) {
    const response = await this.#fetch(method, path, body);
    if (response === null) return 'The server does not respond.';
    if (response.ok) return null;
    if (response.status === 404) return 'It no longer exists.';
    return (await response.text()) || `The server responded with error ${response.status}.`;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} [body]
   */
  #fetch(method, path, body) {
    const headers = { authorization: `Bearer ${this.#token}` };
    return fetch(`${PATH}/${path}`, { method, headers, body, cache: 'no-store' }).catch(() => null);
  }
}
