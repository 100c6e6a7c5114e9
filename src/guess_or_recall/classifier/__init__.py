"""The CNNs: how well can attention patterns tell the classes of a taxonomy apart?"""
