// A question of the page that has to be answered first. The browser's own dialog: it keeps the
// focus, closes on Escape and makes the rest inert, without a style sheet written by a script.

import { type ReactNode, useEffect, useId, useRef } from "react";
import { createPortal } from "react-dom";
import { useText } from "../i18n";
import { Icon } from "./Icon";

interface Props {
  title: string;
  children: ReactNode;
  onClose: () => void;
}

export function Dialog({ title, children, onClose }: Props) {
  const t = useText();
  const name = useId();
  const frame = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    const dialog = frame.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  // Beside the page rather than in it: what it was opened from has a style of its own.
  return createPortal(
    <dialog
      ref={frame}
      className="dialog"
      aria-labelledby={name}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === frame.current && onClose()}
    >
      <div className="dialog-body">
        <header>
          <h2 id={name}>{title}</h2>
          <button type="button" className="icon-button" onClick={onClose} aria-label={t.app.close}><Icon name="close" /></button>
        </header>
        {children}
      </div>
    </dialog>,
    document.body,
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, text, action, onConfirm, onClose }: ConfirmProps) {
  const t = useText();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>{t.app.cancel}</button>
        <button type="button" className="button danger" onClick={() => { onClose(); onConfirm(); }}>{action}</button>
      </div>
    </Dialog>
  );
}
