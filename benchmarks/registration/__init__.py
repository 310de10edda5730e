"""mmzoo register beside ANTs SyN and elastix: the pairs, the methods, the page."""
