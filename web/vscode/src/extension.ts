// What the editor calls: the commands, the panel, the hover and the quick fix are put together here.

import * as vscode from "vscode";
import type { Citation, Entry, Me, Passage } from "./answer";
import { asComment, openable } from "./comment";
import { connection, hovers, hoversNames, keep, keepToken } from "./connect";
import { contextOf, linesOf } from "./context";
import { Glossary } from "./glossary";
import { Identifiers, type Named } from "./identifiers";
import { open } from "./open";
import { Panel, VIEW } from "./panel";
import { aboutCode, aboutError } from "./question";
import { json, send } from "./server";
import { signIn } from "./signing";
import { Talk, type Turn } from "./talk";

const UNANSWERED = "docent.unanswered";
const WORD = /[A-Za-z0-9_\u00C0-\uFFFF]+/;

export function activate(context: vscode.ExtensionContext): void {
  const docent = new Docent(context);
  const { registerCommand } = vscode.commands;
  context.subscriptions.push(
    vscode.window.registerWebviewViewProvider(VIEW, docent.panel),
    registerCommand("docent.ask", () => docent.panel.focus()),
    registerCommand("docent.askSelection", guarded(() => docent.askSelection())),
    registerCommand("docent.askFile", guarded(() => docent.askFile())),
    registerCommand("docent.explainError", guarded((uri?: vscode.Uri, told?: vscode.Diagnostic) => docent.explain(uri, told))),
    registerCommand("docent.newConversation", () => docent.renew()),
    registerCommand("docent.signIn", guarded(() => docent.signIn())),
    registerCommand("docent.signOut", guarded(() => docent.signOut())),
    vscode.languages.registerHoverProvider("*", { provideHover: (document, at) => docent.hover(document, at) }),
    vscode.languages.registerCodeActionsProvider("*", { provideCodeActions: fixes }, { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] }),
    vscode.workspace.onDidChangeConfiguration((changed) => {
      if (changed.affectsConfiguration("docent")) docent.look();
    }),
    context.secrets.onDidChange(() => docent.look()),
  );
}

class Docent {
  readonly panel: Panel;
  private readonly talk: Talk;
  private readonly glossary: Glossary;
  private readonly identifiers: Identifiers;

  constructor(private readonly context: vscode.ExtensionContext) {
    const memory = context.workspaceState;
    this.talk = new Talk({
      connect: () => connection(context.secrets),
      keep,
      changed: (turn, token) => this.panel.changed(turn, token),
      unanswered: (questions) => void memory.update(UNANSWERED, questions),
    }, memory.get<string[]>(UNANSWERED, []));
    this.panel = new Panel(context.extensionUri, this.talk, {
      signIn: guarded(() => this.signIn()),
      open: guarded(async (turn: Turn, marker: number) => {
        const citation = cited(turn, marker);
        if (citation) await open(citation, (await connection(context.secrets)).base);
      }),
      insert: guarded(async (turn: Turn, marker: number) => insert(cited(turn, marker))),
      judge: guarded((turn: Turn, helpful: boolean) => this.judge(turn, helpful)),
      visit: async (address) => {
        if (openable(address)) await vscode.env.openExternal(vscode.Uri.parse(address, true));
      },
      ready: () => this.look(),
    });
    this.glossary = new Glossary(async () => {
      const to = await connection(context.secrets);
      return (await json<{ entries: Entry[] }>(to, "/api/v1/glossary")).entries;
    });
    this.identifiers = new Identifiers(async (query) => {
      const to = await connection(context.secrets);
      return (await json<{ hits: Passage[] }>(to, "/api/v1/search", { method: "POST", body: { query, k: 5 } })).hits;
    });
  }

  /** Find out who is signed in, and show it. */
  look(): void {
    this.glossary.forget();
    this.identifiers.forget();
    void this.known().then(({ text, missing }) => this.panel.say(text, missing));
  }

  async askSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || editor.selection.isEmpty) {
      void vscode.window.showInformationMessage("Select the lines that you want to ask about first.");
      return;
    }
    const { document, selection } = editor;
    await this.askAbout(document, selection, "What do you want to know about these lines?");
  }

  async askFile(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    if (!document) return;
    const all = document.validateRange(new vscode.Range(0, 0, document.lineCount, 0));
    await this.askAbout(document, all, "What do you want to know about this file? Its text is sent, as far as it fits.");
  }

  async explain(uri?: vscode.Uri, told?: vscode.Diagnostic): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const document = uri ? await vscode.workspace.openTextDocument(uri) : editor?.document;
    if (!document) return;
    const chosen = editor && editor.document === document ? editor.selection : null;
    const error = told ?? (chosen ? shownAt(document, chosen) : undefined);
    if (error) {
      const range = chosen && !chosen.isEmpty ? chosen : linesOf(document, error.range);
      await this.ask(aboutError(error.message, error.source ?? "", await contextOf(document, range)));
    } else if (chosen && !chosen.isEmpty) {
      // A log or a traceback in a file is an error, too.
      await this.ask(aboutError("", "", await contextOf(document, chosen)));
    } else {
      void vscode.window.showInformationMessage("There is no error at the cursor. Select one, such as the lines of a traceback.");
    }
  }

  renew(): void {
    this.talk.renew();
    this.panel.all();
  }

  async signIn(): Promise<void> {
    const to = await connection(this.context.secrets);
    const token = await signIn(to);
    if (token) await keepToken(this.context.secrets, token);
    this.look();
  }

  async signOut(): Promise<void> {
    await keepToken(this.context.secrets, "");
    this.renew();
    this.look();
    void vscode.window.showInformationMessage("The token is forgotten here. To end it everywhere, revoke it on Docent's page, under API tokens.");
  }

  async hover(document: vscode.TextDocument, at: vscode.Position): Promise<vscode.Hover | null> {
    if (!hovers()) return null;
    const range = document.getWordRangeAtPosition(at, WORD);
    if (!range) return null;
    const word = document.getText(range);
    const told = (await this.glossary.about(word)).map(explained);
    const named = hoversNames() ? await this.identifiers.about(word) : null;
    if (named) told.push(quoted(named));
    return told.length ? new vscode.Hover(told, range) : null;
  }

  private async askAbout(document: vscode.TextDocument, range: vscode.Range, prompt: string): Promise<void> {
    const wish = await vscode.window.showInputBox({ prompt, placeHolder: "Leave empty to have it explained", title: "Docent" });
    if (wish !== undefined) await this.ask(aboutCode(wish, await contextOf(document, range)));
  }

  private async ask(question: string): Promise<void> {
    await this.panel.focus();
    this.talk.ask(question);
  }

  private async judge(turn: Turn, helpful: boolean): Promise<void> {
    if (!turn.answer?.message_id) return;
    const to = await connection(this.context.secrets);
    const path = `/api/v1/messages/${encodeURIComponent(turn.answer.message_id)}/feedback`;
    (await send(to, path, { method: "POST", body: { helpful } })).resume();
    turn.helpful = helpful;
    this.panel.changed(turn);
  }

  private async known(): Promise<{ text: string; missing: boolean }> {
    try {
      const to = await connection(this.context.secrets);
      const me = await json<Me>(to, "/api/v1/me");
      if (!me.sign_in_url) return { text: "", missing: false };
      if (me.signed_in) return { text: `Signed in as ${me.name}.`, missing: false };
      return { text: to.token ? "Your sign-in has expired, or its token was revoked." : "You are not signed in.", missing: true };
    } catch (error) {
      return { text: error instanceof Error ? error.message : String(error), missing: false };
    }
  }
}

const cited = (turn: Turn, marker: number): Citation | undefined =>
  turn.answer?.citations.find((citation) => citation.marker === marker);

// A command that fails says why; the editor would show a stack.
function guarded<Args extends unknown[]>(action: (...args: Args) => Promise<void>): (...args: Args) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      void vscode.window.showErrorMessage(`Docent: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

async function insert(citation: Citation | undefined): Promise<void> {
  // With the focus in the panel no editor is active; the last one is still seen.
  const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (!editor || !citation) {
    void vscode.window.showInformationMessage("Open the file that the comment is to go into first.");
    return;
  }
  const { document, selection } = editor;
  const line = document.lineAt(selection.active.line);
  const indent = line.text.slice(0, line.firstNonWhitespaceCharacterIndex);
  const done = await editor.edit((edit) => edit.insert(line.range.start, asComment(citation, document.languageId, indent)));
  if (!done) void vscode.window.showInformationMessage("This file cannot be changed.");
}

// At the cursor before others of its line, and errors before warnings.
function shownAt(document: vscode.TextDocument, chosen: vscode.Range): vscode.Diagnostic | undefined {
  const beside = (one: vscode.Diagnostic) => (one.range.intersection(chosen) ? 0 : 1);
  return vscode.languages.getDiagnostics(document.uri)
    .filter((one) => one.range.start.line <= chosen.end.line && one.range.end.line >= chosen.start.line)
    .sort((one, other) => beside(one) - beside(other) || one.severity - other.severity)[0];
}

function fixes(document: vscode.TextDocument, _: vscode.Range, { diagnostics }: vscode.CodeActionContext): vscode.CodeAction[] {
  return diagnostics.map((diagnostic) => {
    const action = new vscode.CodeAction("Explain with Docent", vscode.CodeActionKind.QuickFix);
    action.command = { command: "docent.explainError", title: "Explain with Docent", arguments: [document.uri, diagnostic] };
    action.diagnostics = [diagnostic];
    return action;
  });
}

// Written by pages: escaped, without commands, pictures or markup.
function explained({ short, long, sources }: Entry): vscode.MarkdownString {
  return linked(new vscode.MarkdownString().appendText(`${short}: ${long}`), sources);
}

function quoted({ text, title, url }: Named): vscode.MarkdownString {
  return linked(new vscode.MarkdownString().appendText(text), [{ title, url }]);
}

function linked(text: vscode.MarkdownString, pages: readonly { title: string; url: string }[]): vscode.MarkdownString {
  for (const { title, url } of pages) {
    if (!openable(url)) continue;
    text.appendMarkdown("  \n[").appendText(title).appendMarkdown(`](<${new URL(url).href.replace(/[<>\\]/g, encodeURIComponent)}>)`);
  }
  return text;
}
