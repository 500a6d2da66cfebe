// Who is signed in, and the page's own settings.

import * as Menu from "@radix-ui/react-dropdown-menu";
import { useLocation } from "wouter";
import { api, known, signInAddress } from "../api";
import { type Language, LANGUAGES, useLanguage, useText } from "../i18n";
import { useMe } from "../me";
import { Icon } from "../parts/Icon";
import { type Theme, useTheme } from "../prefs";
import { openable } from "../text/links";

export function AccountMenu({ onKeys }: { onKeys: () => void }) {
  const t = useText();
  const { language, speak } = useLanguage();
  const [theme, setTheme] = useTheme();
  const [, navigate] = useLocation();
  const { data: me } = useMe();
  const signOut = async () => {
    const told = await api.signOut().catch(() => null);
    // At the provider, too, where it has an address for that.
    window.location.assign((told && openable(told.url)) || "/");
  };
  if (me && !known(me)) {
    return <a className="button primary" href={signInAddress(me)}>{t.account.signIn}</a>;
  }
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="side-link account">
        <Icon name="user" />
        <span className="account-name">{me?.name || t.account.settings}<span className="unseen"> {t.account.settings}</span>{me && me.role !== "reader" && <small>{t.account.role[me.role]}</small>}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" side="top" align="start" sideOffset={6} collisionPadding={8}>
          <Menu.Label className="menu-label">{t.account.theme}</Menu.Label>
          <Menu.RadioGroup value={theme} onValueChange={(value) => setTheme(value as Theme)}>
            {(["system", "light", "dark"] as const).map((name) => <Choice key={name} value={name}>{t.account.themes[name]}</Choice>)}
          </Menu.RadioGroup>
          <Menu.Label className="menu-label">{t.account.language}</Menu.Label>
          <Menu.RadioGroup value={language} onValueChange={(value) => speak(value as Language)}>
            {Object.entries(LANGUAGES).map(([tag, name]) => <Choice key={tag} value={tag}>{name}</Choice>)}
          </Menu.RadioGroup>
          <Menu.Separator className="menu-line" />
          <Menu.Item className="menu-item" onSelect={() => navigate("/tokens")}>{t.account.tokens}</Menu.Item>
          <Menu.Item className="menu-item" onSelect={() => navigate("/link")}>{t.link.title}</Menu.Item>
          <Menu.Item className="menu-item" onSelect={() => navigate("/data")}>{t.account.data}</Menu.Item>
          <Menu.Item className="menu-item" onSelect={onKeys}>{t.account.shortcuts}</Menu.Item>
          <Menu.Item className="menu-item" onSelect={() => navigate("/docs")}>{t.account.api}</Menu.Item>
          {me?.features["sign_out"] && (
            <>
              <Menu.Separator className="menu-line" />
              <Menu.Item className="menu-item" onSelect={() => void signOut()}>{t.account.signOut}</Menu.Item>
            </>
          )}
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Choice({ value, children }: { value: string; children: string }) {
  return (
    <Menu.RadioItem className="menu-item" value={value} onSelect={(event) => event.preventDefault()}>
      <span className="menu-check"><Menu.ItemIndicator><Icon name="check" /></Menu.ItemIndicator></span>{children}
    </Menu.RadioItem>
  );
}
