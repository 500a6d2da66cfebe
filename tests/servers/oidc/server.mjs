// A real OpenID Connect provider (npm's certified oidc-provider) with accounts in memory.
//
//   node server.mjs PORT      prints the issuer when it is ready; PORT 0 takes a free one
//
// Clients register themselves (OpenID Connect Dynamic Client Registration, POST /reg).
// The form asks for a name and takes any password. `PUT /control/accounts/NAME` with
// {"groups": [...]} changes what the provider says about somebody at his next sign-in.
// The account `emmy` has her groups told by the userinfo endpoint alone.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const accounts = new Map([
  ["ada", { name: "Ada Reader", groups: ["collaboration"] }],
  ["ben", { name: "Ben Other", groups: ["other-experiment"] }],
  ["mia", { name: "Mia Maintainer", groups: ["collaboration", "docs-team"] }],
  ["olga", { name: "Olga Admin", groups: ["collaboration", "docs-admins"] }],
  ["emmy", { name: "Emmy Userinfo", groups: ["collaboration"], userinfoOnly: true }],
  ["nils", { name: "Nils Nogroups" }],
]);

function signingKey(type, options, algorithm) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: algorithm };
}

function findAccount(_, id) {
  const account = accounts.get(id);
  return account && {
    accountId: id,
    claims(use) {
      const { name, groups, userinfoOnly } = account;
      const told = { sub: id, name, preferred_username: id, email: `${id}@meridian.example` };
      if (groups && !(userinfoOnly && use === "id_token")) {
        told.groups = groups;
        told.realm_access = { roles: groups.map((group) => `role-of-${group}`) };
      }
      return told;
    },
  };
}

function configuration() {
  return {
    findAccount,
    jwks: {
      keys: [
        signingKey("rsa", { modulusLength: 2048 }, "RS256"),
        signingKey("ec", { namedCurve: "P-256" }, "ES256"),
      ],
    },
    claims: {
      openid: ["sub", "sid", "groups", "realm_access"],
      profile: ["name", "preferred_username"],
      email: ["email"],
    },
    // As Keycloak does: what the scopes ask for stands in the id token too.
    conformIdTokenClaims: false,
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    responseTypes: ["code"],
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Grant: 3600, Session: 3600 },
    // Applications on loopback are who it is for; the provider's own rule is to shun such addresses.
    fetch: (url, { dispatcher, ...options }) =>
      fetch(url, { ...options, signal: AbortSignal.timeout(30_000) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Any resource may be named: which tokens it takes is the business of that resource.
        getResourceServerInfo: (_, resource) => ({ audience: resource, scope: "", accessTokenFormat: "jwt" }),
      },
    },
    // As Keycloak does with a mapper: access tokens tell the groups too.
    extraTokenClaims(_, { accountId }) {
      const account = accounts.get(accountId);
      return account?.groups && !account.userinfoOnly ? { groups: account.groups } : undefined;
    },
    // The accounts' laboratory has agreed for them.
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  };
}

const FORM = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in to MERIDIAN</title>
<h1>Sign in to MERIDIAN</h1>
<form method="post">
<label>Account <input name="login" autofocus required></label>
<label>Password <input name="password" type="password"></label>
<button>Sign in</button>
</form></html>`;

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function interact(provider, request, response) {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html").end(FORM);
    return;
  }
  const login = new URLSearchParams(await bodyOf(request)).get("login") ?? "";
  const result = accounts.has(login)
    ? { login: { accountId: login } }
    : { error: "access_denied", error_description: "There is no such account." };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function control(request, response) {
  const name = request.url.split("/").at(-1);
  accounts.set(name, { ...accounts.get(name), ...JSON.parse(await bodyOf(request)) });
  response.writeHead(204).end();
}

process.stdin.on("end", () => process.exit()).resume();
const server = createServer();
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration());
  provider.on("backchannel.error", (_, error) => console.error("back-channel logout:", error.message));
  const protocol = provider.callback();
  server.on("request", (request, response) => {
    const handled = request.url.startsWith("/interaction/")
      ? interact(provider, request, response)
      : request.url.startsWith("/control/accounts/") && request.method === "PUT"
        ? control(request, response)
        : protocol(request, response);
    Promise.resolve(handled).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500).end(String(error));
    });
  });
  console.log(issuer);
});
