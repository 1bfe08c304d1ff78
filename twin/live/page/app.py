"""The page of the live desk (`twin serve`); by hand: ``streamlit run twin/live/page/app.py``."""

from __future__ import annotations

import streamlit as st

from twin.live.page import agent_queue, desk, results, staffing, whatif


def main() -> None:
    """Draw the page that is asked for."""
    # Visitors of the page see neither tracebacks nor developers' tools.
    st.set_option("client.showErrorDetails", "none")
    st.set_option("client.toolbarMode", "minimal")
    st.set_page_config(page_title="Support desk")
    desk.remember()
    pages = [
        st.Page(desk.show, title="Desk", default=True),
        st.Page(agent_queue.show, title="Queue", url_path="queue"),
        st.Page(staffing.show, title="Staffing", url_path="staffing"),
        st.Page(whatif.show, title="What-if", url_path="what-if"),
        st.Page(results.show, title="Results", url_path="results"),
    ]
    st.navigation(pages, position="top").run()


main()
