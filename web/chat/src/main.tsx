import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api";
import { App } from "./App";
import { TalksProvider } from "./ask/useTalks";
import { LanguageProvider, useText } from "./i18n";
import { PanelProvider } from "./panel/Panel";
import { TipProvider } from "./parts/Tip";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/answer.css";
import "./styles/document.css";
import "./styles/parts.css";
import "./styles/pages.css";
import "./styles/print.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      // What the server refused it refuses again; what was not reached may be there in a moment.
      retry: (count, error) => error instanceof Problem && error.status === 0 && count < 2,
    },
  },
});

/** An error of the page itself: said, with what was typed still in this tab. */
class Fence extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    return this.state.failed ? <Fallen /> : this.props.children;
  }
}

function Fallen() {
  const t = useText();
  return (
    <main className="talk">
      <div className="notice trouble" role="alert">
        <p>{t.app.error}</p>
        <button type="button" className="button" onClick={() => location.reload()}>{t.app.reload}</button>
      </div>
    </main>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LanguageProvider>
        <Fence>
          <TipProvider>
            <TalksProvider>
              <PanelProvider>
                <App />
              </PanelProvider>
            </TalksProvider>
          </TipProvider>
        </Fence>
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
);
