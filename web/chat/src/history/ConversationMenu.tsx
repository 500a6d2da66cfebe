// What can be done with a conversation: rename, share, export, print, delete.

import * as Menu from "@radix-ui/react-dropdown-menu";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { api, type ConversationLine } from "../api";
import { useTalks } from "../ask/useTalks";
import { useText } from "../i18n";
import { CopyButton } from "../parts/Copy";
import { Confirm, Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import { Trouble, useSentence } from "../parts/Notice";

type Doing = "rename" | "share" | "remove" | null;

export function ConversationMenu({ line, current }: { line: ConversationLine; current: boolean }) {
  const t = useText();
  const talks = useTalks();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  const renew = () => queries.invalidateQueries({ queryKey: ["conversations"] });
  const remove = async () => {
    await api.remove(line.id);
    talks.forget(line.id);
    if (current) navigate("/");
    await renew();
  };
  const print = () => {
    navigate(`/c/${encodeURIComponent(line.id)}`);
    // The conversation has to be on the page before it can be on paper.
    setTimeout(() => window.print(), current ? 50 : 800);
  };
  return (
    <>
      <Menu.Root modal={false}>
        <Menu.Trigger className="icon-button" aria-label={t.conversations.actions(line.title)}><Icon name="more" /></Menu.Trigger>
        <Menu.Portal>
          <Menu.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
            <Menu.Item className="menu-item" onSelect={() => setDoing("rename")}>{t.conversations.rename}</Menu.Item>
            <Menu.Item className="menu-item" onSelect={() => setDoing("share")}>{t.conversations.share}</Menu.Item>
            <Menu.Item className="menu-item" asChild><a href={api.exportAddress(line.id)} download>{t.conversations.exportMarkdown}</a></Menu.Item>
            <Menu.Item className="menu-item" onSelect={print}>{t.conversations.print}</Menu.Item>
            <Menu.Separator className="menu-line" />
            <Menu.Item className="menu-item danger" onSelect={() => setDoing("remove")}>{t.conversations.remove}</Menu.Item>
          </Menu.Content>
        </Menu.Portal>
      </Menu.Root>
      {doing === "rename" && <Rename line={line} onClose={close} onDone={renew} />}
      {doing === "share" && <Share line={line} onClose={close} onDone={renew} />}
      {doing === "remove" && <Confirm title={t.conversations.removeTitle} text={t.conversations.removeText} action={t.conversations.remove} onConfirm={() => void remove()} onClose={close} />}
    </>
  );
}

interface Props {
  line: ConversationLine;
  onClose: () => void;
  onDone: () => Promise<void>;
}

function Rename({ line, onClose, onDone }: Props) {
  const t = useText();
  const talks = useTalks();
  const sentence = useSentence();
  const [title, setTitle] = useState(line.title);
  const [error, setError] = useState<unknown>(null);
  const save = async (event: React.FormEvent) => {
    event.preventDefault();
    try {
      await api.rename(line.id, title.trim());
      talks.retitle(line.id, { title: title.trim() });
      await onDone();
      onClose();
    } catch (trouble) {
      setError(trouble);
    }
  };
  return (
    <Dialog title={t.conversations.rename} onClose={onClose}>
      <form onSubmit={save} className="form">
        <label>{t.conversations.renameLabel}<input type="text" required maxLength={200} value={title} onChange={(event) => setTitle(event.target.value)} /></label>
        {error !== null && <Trouble>{sentence(error)}</Trouble>}
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>{t.app.cancel}</button>
          <button type="submit" className="button primary" disabled={!title.trim()}>{t.app.save}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Share({ line, onClose, onDone }: Props) {
  const t = useText();
  const sentence = useSentence();
  const [id, setId] = useState(line.share_id ?? "");
  const [error, setError] = useState<unknown>(null);
  const attempt = async (work: () => Promise<void>) => {
    setError(null);
    await work().then(onDone).catch(setError);
  };
  const make = () => attempt(async () => setId(await api.share(line.id)));
  const end = () => attempt(async () => {
    await api.unshare(line.id);
    setId("");
  });
  const address = id && `${location.origin}/shared/${encodeURIComponent(id)}`;
  return (
    <Dialog title={t.conversations.shareTitle} onClose={onClose}>
      <div className="form">
        <p>{t.conversations.shareText}</p>
        {error !== null && <Trouble>{sentence(error)}</Trouble>}
        {address ? (
          <>
            <label>{t.conversations.shareLink}<input type="text" readOnly value={address} onFocus={(event) => event.target.select()} /></label>
            <div className="actions">
              <button type="button" className="button danger" onClick={() => void end()}>{t.conversations.shareEnd}</button>
              <CopyButton text={address} label={t.app.copy} words />
            </div>
          </>
        ) : (
          <div className="actions"><button type="button" className="button primary" onClick={() => void make()}>{t.conversations.shareMake}</button></div>
        )}
      </div>
    </Dialog>
  );
}
