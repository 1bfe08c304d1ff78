"""The live desk's page, which `twin serve` starts; by hand: ``streamlit run twin/live/page.py``."""

from __future__ import annotations

import streamlit as st

from twin.live import page_desk, page_queue, page_results, page_whatif


def main() -> None:
    """Draw the page that is asked for."""
    # Whoever looks at the page sees neither tracebacks nor the tools of its developers.
    st.set_option("client.showErrorDetails", "none")
    st.set_option("client.toolbarMode", "minimal")
    st.set_page_config(page_title="Support desk")
    page_desk.remember()
    pages = [
        st.Page(page_desk.show, title="Desk", default=True),
        st.Page(page_queue.show, title="Queue", url_path="queue"),
        st.Page(page_whatif.show, title="What-if", url_path="what-if"),
        st.Page(page_results.show, title="Results", url_path="results"),
    ]
    st.navigation(pages, position="top").run()


main()
