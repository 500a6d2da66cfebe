// What the settings and the editor's secret storage say of the server.

import { readFile } from "node:fs/promises";
import * as vscode from "vscode";
import { baseOf, type Connection, Trouble } from "./server";

export const keep = () => settings().get("keepConversations", true);
export const hovers = () => settings().get("hover", true);
export const hoversNames = () => settings().get("hoverNames", true);
const settings = () => vscode.workspace.getConfiguration("docent");

// A token is of one server: another address, set by mistake or by malice, never gets it.
const secret = (base: string) => `docent.token ${base}`;

/** The server, and who asks it.
 *
 * Throws a `Trouble` where a setting is wrong.
 */
export async function connection(secrets: vscode.SecretStorage): Promise<Connection> {
  const base = baseOf(settings().get("server", ""));
  return { base, ca: await authority(), token: (await secrets.get(secret(base))) ?? "" };
}

/** Keep a token for the server that is set; an empty one is forgotten. */
export async function keepToken(secrets: vscode.SecretStorage, token: string): Promise<void> {
  const base = baseOf(settings().get("server", ""));
  await (token ? secrets.store(secret(base), token) : secrets.delete(secret(base)));
}

async function authority(): Promise<string> {
  const path = settings().get("caFile", "").trim();
  if (!path) return "";
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new Trouble(0, `The file of the setting docent.caFile cannot be read: ${path} (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new Trouble(0, `The file of the setting docent.caFile holds no certificate in PEM: ${path}.`);
  }
  return text;
}
