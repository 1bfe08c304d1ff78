"""The Streamlit page of the live desk."""
