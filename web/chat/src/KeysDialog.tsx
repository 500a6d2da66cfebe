// The list that `?` shows.

import { useText } from "./i18n";
import { KEYS, type KeyName } from "./keys";
import { Dialog } from "./parts/Dialog";

export function KeysDialog({ onClose }: { onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t.keys.title} onClose={onClose}>
      <dl className="keys">
        {(Object.entries(KEYS) as [KeyName, string][]).map(([name, key]) => (
          <div key={name}><dt>{t.keys[name]}</dt><dd><kbd>{key === "Escape" ? "Esc" : key}</kbd></dd></div>
        ))}
      </dl>
    </Dialog>
  );
}
