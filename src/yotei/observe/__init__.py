"""What the house tells about itself: statement budgets and logs. Knows no other room."""
