"""`docent gitlab-bot`: answers in the discussions of a GitLab.

    webhook → `hooks` (is it from our GitLab, new, and for us?) → `bot` (looks it up in GitLab
    itself) → `audience` (who will see the answer?) → the assistant → `words` → the discussion

A webhook only says where to look: every text, author and right is read from GitLab's API.
"""
