// What the host can do: requests to the admin's part of the API. Each gives null, or a sentence that says what is wrong.

const PATH = '../api/v1/admin';

export class Host {
  #token = null;

  use(token) {
    this.#token = token;
  }

  kick = (id) => this.#send('DELETE', `volunteers/${id}`);
  ban = (what) => this.#send('POST', 'bans', what);
  lift = (what) => this.#send('DELETE', `bans/${what.split(' ').map(encodeURIComponent).join('/')}`);
  setEffort = (id, percent) => this.#send('PUT', id === null ? 'effort' : `volunteers/${id}/effort`, String(percent));
  pause = (paused) => this.#send('POST', paused ? 'pause' : 'resume');

  /** All bans, as text; null where the server does not tell. */
  async bans() {
    const response = await this.#fetch('GET', 'bans');
    return response?.ok ? response.json().catch(() => null) : null;
  }

  async #send(method, path, body) {
    const response = await this.#fetch(method, path, body);
    if (response === null) return 'The server does not answer.';
    if (response.ok) return null;
    if (response.status === 404) return 'It is not there any more.';
    return (await response.text()) || `The server answered with an error (${response.status}).`;
  }

  #fetch(method, path, body) {
    const headers = { authorization: `Bearer ${this.#token}` };
    return fetch(`${PATH}/${path}`, { method, headers, body, cache: 'no-store' }).catch(() => null);
  }
}
