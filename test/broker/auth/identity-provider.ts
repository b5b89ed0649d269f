import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Configuration } from 'oidc-provider';
import type { TestKey } from './forge.ts';

/** A client of the provider, and what its tokens say. */
export interface ProviderClient {
  readonly id: string;
  readonly tenant: string;
  readonly roles?: readonly string[];
}

/** A real OpenID Connect server on loopback. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Times that somebody asked for the keys. */
  readonly fetches: number;
  /** Signs with these from now on, the first one, and publishes all. */
  rotate(keys: readonly TestKey[]): Promise<void>;
  /** Answers nothing but 503, or is back. */
  setDown(isDown: boolean): void;
  /** Client credentials: an access token for the broker. @param proof a DPoP proof for the token endpoint */
  token(
    client: string,
    options?: { readonly scope?: string; readonly proof?: (nonce?: string) => string },
  ): Promise<string>;
  readonly tokenUrl: string;
  close(): Promise<void>;
}

const RESOURCE = 'https://broker.example/';
const SECRET = 'a secret of the client';

/** @param tls certificate and key (PEM): the provider then speaks https, and its certificate is for 127.0.0.1 */
export async function startIdentityProvider(
  clients: readonly ProviderClient[],
  keys: readonly TestKey[],
  tls?: { readonly cert: string; readonly key: string },
): Promise<IdentityProvider> {
  const state = {
    down: false,
    fetches: 0,
    handle: (_request: IncomingMessage, _response: ServerResponse): unknown => undefined,
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === '/jwks') state.fetches++;
    if (state.down) {
      response.statusCode = 503;
      response.end('down');
    } else void state.handle(request, response);
  };
  const server: Server = tls === undefined ? createServer(listener) : createSecureServer({ ...tls }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rotate = async (all: readonly TestKey[]): Promise<void> => {
    state.handle = (await providerOf(issuer, clients, all)).callback();
  };
  await rotate(keys);
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    tokenUrl: `${issuer}/token`,
    get fetches() {
      return state.fetches;
    },
    rotate,
    setDown(isDown) {
      state.down = isDown;
    },
    async token(client, { scope = 'cci:read', proof } = {}) {
      const ask = async (nonce?: string): Promise<Response> =>
        fetch(`${issuer}/token`, {
          method: 'POST',
          headers: {
            authorization: `Basic ${Buffer.from(`${client}:${encodeURIComponent(SECRET)}`).toString('base64')}`,
            'content-type': 'application/x-www-form-urlencoded',
            ...(proof === undefined ? {} : { dpop: proof(nonce) }),
          },
          body: new URLSearchParams({ grant_type: 'client_credentials', resource: RESOURCE, scope }),
        });
      let response = await ask();
      const nonce = response.headers.get('dpop-nonce');
      if (!response.ok && nonce !== null) response = await ask(nonce);
      const answer = (await response.json()) as { readonly access_token?: string };
      if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function providerOf(issuer: string, clients: readonly ProviderClient[], keys: readonly TestKey[]) {
  const byId = new Map(clients.map((client) => [client.id, client]));
  const [first] = keys;
  const alg = (first?.alg ?? 'ES256') as 'ES256';
  const configuration: Configuration = {
    clients: clients.map(({ id }) => ({
      client_id: id,
      client_secret: SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: alg,
    })),
    jwks: {
      keys: keys.map(({ privateKey, kid, alg }) => ({ ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' })),
    } as NonNullable<Configuration['jwks']>,
    cookies: { keys: ['not used'] },
    scopes: [],
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'cci:read cci:config cci:posture',
          audience: 'cci-broker',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg, kid: first?.kid } },
        }),
      },
    },
    extraTokenClaims: (_ctx, token) => {
      const client = byId.get(token.clientId ?? '');
      return { fabric: { tenant: client?.tenant }, realm_access: { roles: client?.roles ?? [] } };
    },
  };
  const { warn, info } = console;
  // It says at each start what it thinks of being used for tests.
  console.warn = () => {};
  console.info = () => {};
  try {
    const { default: Provider } = await import('oidc-provider');
    return new Provider(issuer, configuration);
  } finally {
    console.warn = warn;
    console.info = info;
  }
}
